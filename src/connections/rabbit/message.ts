export interface RabbitMessage {
  readonly id: string;
  readonly exchange: string;
  readonly routingKey: string;
  readonly contentType: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}
