import type { Settings } from './settings';

/** Where things are, for what a command runs as well as the service. */
export class ServiceSettings {
  constructor(readonly values: Settings) {}
}
