import type { Logger } from 'pino';

/** The service's log. A class beside pino's interface, for it is a token of the container; pino's loggers are what is provided. */
// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging -- see above
export abstract class ServiceLogger {}
// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging, @typescript-eslint/no-empty-object-type -- see above
export interface ServiceLogger extends Logger {}
