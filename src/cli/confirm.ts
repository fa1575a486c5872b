import { createInterface } from 'node:readline/promises';
import { ExitCode, OperatorError } from '../event/errors';
import { cursorStream, visible } from '../event/terminal';

/** Asks on a terminal. @throws OperatorError without a terminal and without --yes, and when the answer is no */
export async function confirm(question: string, yes: boolean): Promise<void> {
  if (yes) return;
  // On stderr: stdout may be a pipe, in which nobody would see the question.
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new OperatorError('this asks before it acts, and there is no terminal to ask on', 'Add --yes.', ExitCode.error);
  const prompt = createInterface({ input: process.stdin, output: cursorStream(process.stderr) });
  try {
    const answer = await prompt.question(`${visible(question)} [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw new OperatorError('nothing was changed', 'Answer y to go on.', ExitCode.error);
  } finally {
    prompt.close();
  }
}
