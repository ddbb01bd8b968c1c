"""The benchmark: tuned agents in well-known environments, several seeds each; logs that are kept, and a page of them.

rows        agent and environment: which there are, their settings, their commands
run         trains what is not there yet, and keeps the logs
logs        what is kept of a seed: small enough for a repository
uniform     random actions, for the row that says what is easy
goals       what was asked for
published   scores that others have published
notes       what was found out while settings were looked for
page        headings, tables and pictures as Markdown and as HTML
report      all logs as a page
"""
