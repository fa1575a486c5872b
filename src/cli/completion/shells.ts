import type { Command } from '../program';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** From the commands as they are registered: a script that is true as long as this version is. */
export async function scriptFor(shell: Shell, program: Command): Promise<string> {
  const { completionNodes } = await import('./tree');
  const nodes = completionNodes(program).map((node) => (node.path === '/completion' ? { ...node, choices: SHELLS } : node));
  switch (shell) {
    case 'bash':
      return (await import('./bash')).bashScript(program.name(), nodes);
    case 'zsh':
      return (await import('./zsh')).zshScript(program.name(), nodes);
    case 'fish':
      return (await import('./fish')).fishScript(program.name(), nodes);
  }
}
