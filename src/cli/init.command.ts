import { writeFileSync } from 'node:fs';
import { Command } from 'nest-commander';
import { ExitCode, messageOf, OperatorError } from '../event/errors';
import { shellWord } from '../event/shell-word';
import { ObserversCommand } from './command';
import { BREAK, print } from './output';

@Command({ name: 'init', arguments: '[file]', description: 'write an observers file to begin with' })
export class InitCommand extends ObserversCommand {
  protected readonly examples = [
    ['observers.yaml, with comments', 'init'],
    ['under another name', 'init config/observers.yaml'],
  ] as const;

  async run([file = 'observers.yaml']: string[]): Promise<void> {
    const { INIT_FILE } = await import('../config/init-file');
    try {
      // wx: a file that is there is somebody's work.
      writeFileSync(file, INIT_FILE, { flag: 'wx' });
    } catch (error) {
      const exists = (error as { code?: string }).code === 'EEXIST';
      const message = exists ? `${file} exists already, and is left as it is` : `${file} cannot be written: ${messageOf(error)}`;
      throw new OperatorError(message, 'Name another file: fraiseql-observers init FILE', ExitCode.error, { cause: error });
    }
    const word = shellWord(file);
    const config = `--config ${word}`;
    const next = [`validate-config ${word}`, `start --apply ${config}`].map((command) => `  fraiseql-observers ${command}`);
    print([`wrote ${file}`, '', 'Next, when it says what you want:', ...next].join(BREAK));
  }
}
