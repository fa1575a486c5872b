import { readToken, type TokenUse } from '../../redrive/set-token';
import { OperatorError } from '../../event/errors';
import { Problem } from '../http/problem';
import type { ApiContext } from './api-context';

/** What a token of a dry run stands for. @throws Problem when it is none, or for something else */
export async function readTokenOf<T>(api: ApiContext, use: TokenUse, token: string): Promise<T> {
  try {
    return await readToken<T>(api.pool, use, token);
  } catch (error) {
    throw error instanceof OperatorError ? new Problem('invalid-token', error.message, { remedy: error.remedy }) : error;
  }
}
