"""The command line: click, one file a command group, imported when it is used."""
