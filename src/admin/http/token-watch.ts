import { apiTokensOf, readApiTokens, readTokenFile, type TokenSettings } from '../../config/api-tokens';
import { ensureLocalToken, localTokenFile } from '../../config/local-token';
import type { Clock } from '../../event/clock';
import { messageOf } from '../../event/errors';
import type { ServiceLogger } from '../../event/service-logger';
import type { EndTimer, Timers } from '../../event/timers';
import { Tokens } from './tokens';

const LOOK_EVERY = 1_000;

type WatchSettings = TokenSettings & { readonly dataDir: string };

/**
 * The tokens of the API, and their files, which are read again when they change: who has a token can be told to leave at any moment, not only at the
 * next start. By content, as FileWatch does it; one that is half written when it is looked at has changed again at the next look.
 */
export class TokenWatch {
  readonly tokens: Tokens;
  private end: EndTimer = () => Promise.resolve();
  private known: string | null;
  private seen: string | null;
  private complained = '';

  /** @throws OperatorError when what is configured is no token */
  constructor(
    private readonly settings: WatchSettings,
    private readonly logger: ServiceLogger,
    clock: Clock,
  ) {
    const tokens = readApiTokens(settings);
    this.known = this.seen = readTokenFile(settings);
    const configured = tokens.length > 0;
    this.tokens = new Tokens(configured, configured ? null : localTokenFile(settings.dataDir), clock);
    this.tokens.know(tokens);
  }

  /** Once the data folder may stand: the database in it makes it. */
  start(timers: Timers): void {
    if (!this.tokens.configured) this.lookLocal();
    else if (this.settings.apiTokensFile === null) return;
    this.end = timers.every('token watch', LOOK_EVERY, () => this.look());
  }

  stop(): Promise<void> {
    return this.end();
  }

  private look(): Promise<void> {
    if (this.tokens.configured) this.lookConfigured();
    else this.lookLocal();
    return Promise.resolve();
  }

  private lookConfigured(): void {
    try {
      const text = readTokenFile(this.settings);
      const settled = text === this.seen;
      this.seen = text;
      if (!settled || text === this.known) return;
      this.known = text;
      const tokens = apiTokensOf(this.settings, text);
      this.tokens.know(tokens);
      this.complained = '';
      this.logger.info({ tokens: tokens.length }, 'the tokens of the API are those of the file as it is now');
    } catch (error) {
      this.complain(error, 'the file with the tokens of the API is not taken; those that were known go on');
    }
  }

  /** A file that somebody removed is made again, with another token. */
  private lookLocal(): void {
    try {
      this.tokens.knowLocal(ensureLocalToken(this.settings.dataDir));
      this.complained = '';
    } catch (error) {
      this.tokens.knowLocal(null);
      this.complain(error, 'no token could be put in the data folder: without OBSERVERS_API_TOKENS nothing can be changed by the API');
    }
  }

  private complain(error: unknown, what: string): void {
    const err = messageOf(error);
    if (this.complained === err) return;
    this.complained = err;
    this.logger.warn({ err }, what);
  }
}
