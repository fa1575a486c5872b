// What custom actions are written with; the service itself is the command `fraiseql-observers`.
import 'reflect-metadata';

export {
  CustomAction,
  type CustomActionHandler,
  type CustomActionRun,
  type CustomActionTools,
  type CustomDelivery,
  type OptionsSchema,
  type RenderedCustomAction,
} from '../actions/custom/custom-action';
export { refused, retry, skipped, succeeded } from '../actions/custom/outcomes';
export { sampleDelivery, type Sample } from './testing';
export type { EntityEvent, EventKind } from '../event/entity-event';
export type { Envelope } from '../event/envelope';
export type { JsonDocument, JsonValue } from '../event/json-document';
export type { Outcome } from '../event/outcome';
export { TemplateError, TemplateRenderError, type Template, type TemplateTarget } from '../matching/template/template';
