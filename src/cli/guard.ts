import { guardTerminal } from '../event/terminal';

// Before anything can be printed: whatever a command, a library or a message of an error writes is made visible.
guardTerminal(process.stdout);
guardTerminal(process.stderr);
