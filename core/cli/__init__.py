"""The command line: functions as commands, training with LightningCLI, and error messages."""
