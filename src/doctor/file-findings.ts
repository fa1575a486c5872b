import { ConfigurationError, describeProblem } from '../config/problems';
import { messageOf } from '../event/errors';
import { ok, problem, unknown, type Finding } from './finding';

/** Whether a service would take the observers file. @param load it, where secrets that only the service has need not be at hand */
export async function fileFindings(load: () => Promise<unknown>): Promise<Finding[]> {
  try {
    await load();
    return [ok('file', 'the observers file is valid')];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) return [unknown('file', `the observers file was not looked at: ${messageOf(error)}`)];
    // Of no line: there is none here, as on a machine from which somebody only looks.
    if (error.problems.every(({ line }) => line === 0)) return error.problems.map((one) => unknown('file', describeProblem(one)));
    return error.problems.map((one) => problem('file', describeProblem(one), 'fraiseql-observers validate-config'));
  }
}
