import { readFcmCredentials } from '../config/fcm-credentials';
import type { Settings } from '../config/settings';
import type { PushActionDefinition } from '../event/definitions';
import type { ActionHandler } from './action-handler';
import type { HttpSenders } from '../connections/http/http-sender';
import { Fcm } from './push/fcm';
import { WebPush } from './push/web-push';

/** Notifications to apps (Firebase Cloud Messaging) and browsers (Web Push). */
export class PushProviders implements ActionHandler<PushActionDefinition> {
  readonly type = 'push';
  private fcm: Fcm | null = null;
  private webPush: WebPush | null = null;

  constructor(
    private readonly senders: HttpSenders,
    private readonly settings: Pick<Settings, 'fcmCredentials' | 'fcmUrl' | 'vapidPrivateKey' | 'vapidSubject'>,
  ) {}

  prepare({ to }: PushActionDefinition): ReturnType<ActionHandler<PushActionDefinition>['prepare']> {
    if (to.provider === 'fcm') return (this.fcm ??= this.openFcm()).prepare(to, this.senders);
    return (this.webPush ??= this.openWebPush()).prepare(to);
  }

  async close(): Promise<void> {
    await this.webPush?.close();
  }

  private openFcm(): Fcm {
    const credentials = readFcmCredentials(this.settings.fcmCredentials ?? '');
    if ('problem' in credentials) throw new Error(credentials.problem);
    return new Fcm(credentials, this.settings.fcmUrl);
  }

  private openWebPush(): WebPush {
    const privateKey = this.settings.vapidPrivateKey;
    const subject = this.settings.vapidSubject;
    if (privateKey === null || subject === null) throw new Error('a push action without its keys got past the check of the file');
    return new WebPush({ privateKey, subject });
  }
}
