import { readFileSync } from 'node:fs';
import { ExitCode, messageOf, OperatorError } from '../event/errors';
import type { Settings } from './settings';
import { parseApiToken, TOKEN_EXPECTED, type ApiToken } from './settings/api';

/** The tokens of the setting and of its file together. @throws OperatorError when the file cannot be read, or a line of it is none */
export function readApiTokens({ apiTokens, apiTokensFile }: Pick<Settings, 'apiTokens' | 'apiTokensFile'>): readonly ApiToken[] {
  return [...(apiTokens ?? []), ...(apiTokensFile === null ? [] : tokensIn(apiTokensFile))];
}

function tokensIn(path: string): ApiToken[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const reason = String((error as { code?: string }).code ?? messageOf(error));
    throw refusal(
      `the file of OBSERVERS_API_TOKENS_FILE cannot be read: ${path}: ${reason}`,
      'Correct the path, or the rights of the file.',
    );
  }
  const tokens = text.split(/\r?\n/).flatMap((line, i): ApiToken[] => {
    const entry = line.trim();
    if (entry === '' || entry.startsWith('#')) return [];
    const token = parseApiToken(entry);
    if (token === null) throw refusal(`${path}:${i + 1} is not a token of the API`, `Expected ${TOKEN_EXPECTED}.`);
    return [token];
  });
  // Somebody who names a file wants tokens: an empty one must not open the API to everybody on this machine.
  if (tokens.length === 0) throw refusal(`${path} (OBSERVERS_API_TOKENS_FILE) holds no token`, `Expected lines with ${TOKEN_EXPECTED}.`);
  return tokens;
}

function refusal(message: string, remedy: string): OperatorError {
  return new OperatorError(message, remedy, ExitCode.configuration);
}
