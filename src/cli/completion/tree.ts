import type { Command } from '../program';

/** A command as a shell completes it. */
export interface CompletionNode {
  /** `/dlq/list`; the program itself is the empty text. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly CompletionOption[];
  /** Its arguments are files. */
  readonly takesFiles: boolean;
  /** Words that an argument may be. */
  readonly choices: readonly string[];
}

export interface CompletionOption {
  /** `-c`, `--config`. */
  readonly flags: readonly string[];
  readonly description: string;
  /** What follows it: nothing, one of these words, a file, or what no shell can know. */
  readonly value: 'none' | 'file' | 'any' | readonly string[];
}

const HELP: CompletionOption = { flags: ['-h', '--help'], description: 'display help for command', value: 'none' };

/** The commands with everything beneath them, those above first. */
export function completionNodes(command: Command, path = ''): CompletionNode[] {
  const node: CompletionNode = {
    path,
    commands: command.commands.map((one) => ({ name: one.name(), description: one.description() })),
    options: [...command.options.map(optionOf), HELP],
    takesFiles: command.registeredArguments.some((argument) => argument.name() === 'file'),
    choices: command.registeredArguments.flatMap((argument) => argument.argChoices ?? []),
  };
  return [node, ...command.commands.flatMap((one) => completionNodes(one, `${path}/${one.name()}`))];
}

function optionOf({ short, long, description, required, optional, argChoices, flags }: Command['options'][number]): CompletionOption {
  const value = !required && !optional ? 'none' : (argChoices ?? (flags.includes('<file>') ? 'file' : 'any'));
  return { flags: [short, long].filter((flag) => flag !== undefined && flag !== null), description, value };
}

/** All words that may come at a place: commands, flags, choices. */
export function wordsAt({ commands, options, choices }: CompletionNode): string[] {
  return [...commands.map(({ name }) => name), ...choices, ...options.flatMap(({ flags }) => flags)];
}

/** In single quotes, as bash and zsh take a text. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
