import { messageOf } from '../../event/errors';
import { failed, type Outcome } from '../../event/outcome';
import { connectionFailure } from '../http/network-failure';
import { tlsMessage } from '../http/tls-failure';

/** No queue of the exchange takes the message. */
export class Unroutable extends Error {
  override readonly name = 'Unroutable';
}

/** The server does not vouch for the message. */
export class NotConfirmed extends Error {
  override readonly name = 'NotConfirmed';
}

/** The server has ended a channel, and says why. */
export class ChannelEnded extends Error {
  override readonly name = 'ChannelEnded';

  constructor(
    message: string,
    /** The server's code. */
    readonly code: number | null,
    /** Messages that it had not confirmed: with more than one it cannot be told which was the reason. */
    readonly unconfirmed: number,
  ) {
    super(message);
  }
}

/** The connection is gone, and what it carried with it. */
export class LinkEnded extends Error {
  override readonly name = 'LinkEnded';
}

const NOT_FOUND = 404;
const ACCESS_REFUSED = 403;

export function outcomeOf(error: Error): Outcome {
  if (error instanceof Unroutable)
    return failed('unavailable', 'no queue of RabbitMQ takes a message with this routing key; bind one to the exchange');
  if (error instanceof NotConfirmed)
    return failed('unavailable', 'RabbitMQ does not confirm the message: a queue is full and refuses more, or could not store it');
  if (error instanceof ChannelEnded) return channelOutcome(error);
  if (error instanceof RangeError || error instanceof TypeError) return failed('refused', `not to be sent to RabbitMQ: ${error.message}`);
  return connectionOutcome(error);
}

/** @param reason as the server says it */
export function blockedOutcome(reason: string): Outcome {
  return failed('unavailable', `RabbitMQ takes no messages just now: ${reason}`);
}

function channelOutcome({ code, message }: ChannelEnded): Outcome {
  if (code === NOT_FOUND)
    return failed(
      'configuration',
      `the RabbitMQ of RABBITMQ_URL has no such exchange; create it, or correct exchange of the action: ${message}`,
    );
  if (code === ACCESS_REFUSED) return failed('configuration', `RabbitMQ does not let the user of RABBITMQ_URL publish there: ${message}`);
  return code === null ? failed('connection', `RabbitMQ: ${message}`) : failed('refused', `RabbitMQ answers: ${message}`);
}

function connectionOutcome(error: Error): Outcome {
  const message = messageOf(error);
  const { code } = error as { code?: unknown };
  if (/\b403\b|ACCESS[-_]REFUSED/.test(message))
    return failed('configuration', 'RabbitMQ does not accept the user and password of RABBITMQ_URL');
  // What the client says of a server that refuses to open the virtual host.
  if (/Expected ConnectionOpenOk|\b530\b/.test(message))
    return failed('configuration', 'RabbitMQ has no virtual host as RABBITMQ_URL names it, or its user may not use it');
  if (/ETIMEDOUT/.test(message) && code === undefined) return failed('timeout', 'RabbitMQ does not answer');
  const kind = connectionFailure(typeof code === 'string' ? code : '');
  return failed(kind, kind === 'tls' ? tlsMessage(error) : `RabbitMQ: ${message}`);
}
