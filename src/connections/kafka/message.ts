export interface KafkaMessage {
  readonly topic: string;
  /** Decides the partition. */
  readonly key: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}
