import type { ObserversFile } from '../config/load';
import { describeProblem } from '../config/problems';
import { connect } from '../database/postgres';
import { examineColumns } from './column-names';
import { messageOf } from '../event/errors';

/**
 * What a person should know of a file before events meet it, a sentence each: its own warnings, and the columns that it names and the
 * database does not have. A service starts all the same: one observer that is wrong does not stop the others.
 */
export async function warningsOf(url: string, file: ObserversFile): Promise<string[]> {
  return [...file.warnings.map(describeProblem), ...(await columnWarnings(url, file))];
}

async function columnWarnings(url: string, file: ObserversFile): Promise<string[]> {
  try {
    const client = await connect(url, 'columns');
    try {
      const { errors, warnings } = await examineColumns(client, file);
      return [
        ...errors.map((problem) => `${describeProblem(problem)} (strict_templates: its deliveries will fail)`),
        ...warnings.map(describeProblem),
      ];
    } finally {
      await client.end();
    }
  } catch (error) {
    return [`the columns that the observers file names could not be compared with the database: ${messageOf(error)}`];
  }
}
