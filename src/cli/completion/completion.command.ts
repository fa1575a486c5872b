import { Command, InjectCommander } from 'nest-commander';
import { OperatorError } from '../../event/errors';
import { ObserversCommand } from '../command';
import type { Command as Program } from '../program';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

@Command({
  name: 'completion',
  arguments: '<shell>',
  argsDescription: { shell: SHELLS.join(', ') },
  description: 'a script that completes commands, flags and their values at TAB; it asks nobody, and starts nothing',
})
export class CompletionCommand extends ObserversCommand {
  protected readonly examples = [
    ['in ~/.bashrc: source <(fraiseql-observers completion bash)', 'completion bash'],
    ['in ~/.zshrc: source <(fraiseql-observers completion zsh)', 'completion zsh'],
    ['once: fraiseql-observers completion fish > ~/.config/fish/completions/fraiseql-observers.fish', 'completion fish'],
  ] as const;

  constructor(@InjectCommander() private readonly program: Program) {
    super();
  }

  async run([shell]: string[]): Promise<void> {
    const script = isShell(shell) ? await scriptFor(shell, this.program) : null;
    if (script !== null) process.stdout.write(script);
    else throw new OperatorError(`there is no completion for "${shell}"`, `What there is: ${SHELLS.join(', ')}`);
  }
}

function isShell(text: string | undefined): text is Shell {
  return SHELLS.some((shell) => shell === text);
}

/** From the commands as they are registered: a script that is true as long as this version is. */
async function scriptFor(shell: Shell, program: Program): Promise<string> {
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
