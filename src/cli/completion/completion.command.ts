import { Command, InjectCommander } from 'nest-commander';
import { OperatorError } from '../../event/errors';
import { ObserversCommand } from '../command';
import type { Command as Program } from '../program';
import { SHELLS, type Shell } from './shells';

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
    const script = isShell(shell) ? await (await import('./shells')).scriptFor(shell, this.program) : null;
    if (script !== null) process.stdout.write(script);
    else throw new OperatorError(`there is no completion for "${shell}"`, `What there is: ${SHELLS.join(', ')}`);
  }
}

function isShell(text: string | undefined): text is Shell {
  return SHELLS.some((shell) => shell === text);
}
