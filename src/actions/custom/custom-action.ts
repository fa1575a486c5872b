import { Injectable, SetMetadata } from '@nestjs/common';
import type { Logger } from 'pino';
import type { EntityEvent } from '../../event/entity-event';
import type { Outcome } from '../../event/outcome';
import type { TraceContext } from '../../event/trace-context';
import type { Template, TemplateTarget } from '../../matching/template/template';

/** What zod, valibot and arktype schemas have in common: the part of Standard Schema v1 that is needed here. */
export interface OptionsSchema<Options> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Options> | Promise<SchemaResult<Options>>;
  };
}

export type SchemaResult<Options> =
  | { readonly value: Options; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string; readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] }[] };

/** One delivery to make. */
export interface CustomDelivery {
  /** The delivery id (UUID): the same on every try, for the receiver to drop what comes again. */
  readonly id: string;
  readonly event: EntityEvent;
  /** The envelope's JSON text, in which numbers have all their digits. */
  readonly envelope: string;
  readonly observer: string;
  readonly action: string;
  /** 1 for the first try. */
  readonly attempt: number;
  /** The deliveries that led to this one, and this one: for whatever it brings about (`observers.cause`). */
  readonly cause: string;
  /** Whether a person sends it as a test: tell the receiver, where it can be told. */
  readonly test: boolean;
  /** W3C trace context to pass on: of this try's span, or, where no traces are made, of the writing application; null when it stored none. */
  readonly trace: TraceContext | null;
}

export interface CustomActionTools {
  /** A text of the observers file that may hold `{{ }}`; values are encoded for where it goes. @throws TemplateError */
  template(source: string, target: TemplateTarget): Template;
  readonly logger: Logger;
}

/**
 * One try. It ends within the action's `timeout`: then the signal is aborted, and the outcome is a timeout whatever it does. What it
 * throws is told in the log with its stack, and the delivery is tried again.
 */
export type CustomActionRun = (delivery: CustomDelivery, signal: AbortSignal) => Promise<Outcome>;

/** An action that can say what it would do. */
export interface RenderedCustomAction {
  readonly run: CustomActionRun;

  /**
   * What a try would send, as text or as what JSON can hold; no secret. For `test-event`, `config preview` and shadow observers: it asks
   * nobody and changes nothing. What it throws is told as what a try would fail with.
   */
  render(delivery: CustomDelivery): unknown;
}

/** A type of action of your own: a Nest provider with `@CustomAction('name')`, in a module that OBSERVERS_MODULES names. */
export interface CustomActionHandler<Options = unknown> {
  /** What may stand under `with:`; without a schema everything may. */
  readonly options?: OptionsSchema<Options>;

  /**
   * Called for each action of this type in the observers file, also when a file is only checked: open nothing here. What it throws is
   * told at the action's place in the file.
   */
  prepare(options: Options, tools: CustomActionTools): CustomActionRun | RenderedCustomAction;
}

/** Where the name stands in a provider's metadata. */
export const CUSTOM_ACTION = 'fraiseql-observers:custom-action';

/** Registers a provider as a type of action: `{ type: custom, handler: NAME, with: { … } }`. */
export function CustomAction(name: string): ClassDecorator {
  return (target) => {
    Injectable()(target);
    SetMetadata(CUSTOM_ACTION, name)(target);
  };
}
