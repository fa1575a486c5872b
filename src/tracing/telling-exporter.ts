import { ExportResultCode, type ExportResult } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { Logger } from 'pino';
import { messageOf } from '../event/errors';

/** Tells that the collector does not take spans, once and not with every batch, and that it does again. */
export class TellingExporter implements SpanExporter {
  /** Spans since it has stopped working; null while it works. */
  private lost: number | null = null;

  constructor(
    private readonly exporter: SpanExporter,
    /** Host and port. */
    private readonly collector: string,
    private readonly logger: Logger,
  ) {}

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.exporter.export(spans, (result) => {
      if (result.code === ExportResultCode.SUCCESS) this.works();
      else this.failed(spans.length, result.error);
      // It has been told here; the processor would tell it once more, and can do nothing else about it.
      done({ code: ExportResultCode.SUCCESS });
    });
  }

  forceFlush(): Promise<void> {
    return this.exporter.forceFlush?.() ?? Promise.resolve();
  }

  shutdown(): Promise<void> {
    return this.exporter.shutdown();
  }

  private failed(spans: number, error: Error | undefined): void {
    if (this.lost === null) {
      const { code } = (error ?? {}) as { code?: number | string };
      const why = [code, error === undefined ? '' : messageOf(error)].filter((part) => part !== undefined && part !== '').join(' ');
      this.logger.warn({ collector: this.collector, err: why }, 'the collector does not take traces; deliveries go on, and spans are lost');
    }
    this.lost = (this.lost ?? 0) + spans;
  }

  private works(): void {
    if (this.lost !== null) this.logger.info({ collector: this.collector, lost: this.lost }, 'the collector takes traces again');
    this.lost = null;
  }
}
