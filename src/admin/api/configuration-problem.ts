import { ConfigurationError } from '../../config/problems';
import { ApiProblem } from '../http/problem';

/** What is wrong with the observers file, each with its place, as a problem of the API. */
export async function asConfigurationProblem<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new ApiProblem('invalid-configuration', 'the observers file has problems; the configuration that runs goes on', {
      violations: error.problems.map(({ file, line, column, path, message }) => ({
        at: line === 0 ? file : `${file}:${line}:${column}`,
        message: path === '' ? message : `${path}: ${message}`,
      })),
      remedy: 'Correct it, and look at it with: fraiseql-observers validate-config',
    });
  }
}
