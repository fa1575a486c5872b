import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { ExitCode, messageOf, OperatorError } from '../event/errors';
import type { Settings } from './settings';
import { parseApiToken, TOKEN_EXPECTED, type ApiToken } from './settings/api';

export type TokenSettings = Pick<Settings, 'apiTokens' | 'apiTokensFile'>;

/**
 * The tokens of the setting and of its file together, at the start of a service.
 *
 * @throws OperatorError when the file cannot be read, a line of it is none, or it holds none
 */
export function readApiTokens(settings: TokenSettings): readonly ApiToken[] {
  const { apiTokensFile: path } = settings;
  const text = readTokenFile(settings);
  // Somebody who names a file wants tokens: an empty one is a mistake that is noticed at the start.
  if (text !== null && tokensIn(path ?? '', text).length === 0)
    throw refusal(`${path} (OBSERVERS_API_TOKENS_FILE) holds no token`, `Expected lines with ${TOKEN_EXPECTED}.`);
  return apiTokensOf(settings, text);
}

/** @param text of the file; null where no file is named @throws OperatorError when a line of it is no token, or a token has two meanings */
export function apiTokensOf({ apiTokens, apiTokensFile }: TokenSettings, text: string | null): readonly ApiToken[] {
  const tokens = [...(apiTokens ?? []), ...(text === null ? [] : tokensIn(apiTokensFile ?? '', text))];
  const meanings = new Map<string, ApiToken>();
  for (const token of tokens) {
    const name = token.hash.toString('hex');
    const known = meanings.get(name);
    if (known !== undefined && !isDeepStrictEqual(known, token))
      throw refusal(
        `the token of the API whose SHA-256 begins with ${name.slice(0, 8)} is given twice, and not for the same`,
        'Give each who asks a token of its own.',
      );
    meanings.set(name, token);
  }
  return [...meanings.values()];
}

/** The text of the file of tokens; null where none is named. @throws OperatorError when it cannot be read */
export function readTokenFile({ apiTokensFile: path }: TokenSettings): string | null {
  if (path === null) return null;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const reason = String((error as { code?: string }).code ?? messageOf(error));
    throw refusal(
      `the file of OBSERVERS_API_TOKENS_FILE cannot be read: ${path}: ${reason}`,
      'Correct the path, or the rights of the file.',
    );
  }
}

function tokensIn(path: string, text: string): ApiToken[] {
  return text.split(/\r?\n/).flatMap((line, i): ApiToken[] => {
    const entry = line.trim();
    if (entry === '' || entry.startsWith('#')) return [];
    const token = parseApiToken(entry);
    if (token === null) throw refusal(`${path}:${i + 1} is not a token of the API`, `Expected ${TOKEN_EXPECTED}.`);
    return [token];
  });
}

function refusal(message: string, remedy: string): OperatorError {
  return new OperatorError(message, remedy, ExitCode.configuration);
}
