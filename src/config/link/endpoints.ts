import { isIP } from 'node:net';
import { DEFAULT_BREAKER, type BreakerPolicy, type EndpointDefinition, type EndpointLimits } from '../../event/definitions';
import { compileTemplate } from '../../matching/template/template';
import { AddressPolicy } from '../address-policy';
import { addressProblem, hasFragment, headerProblem, proxyProblem, repeatedHeader, secretProblem, urlProblem } from '../checks';
import type { FileProblems, Path } from '../file-problems';
import { didYouMean } from '../problems';
import type { EndpointShape } from '../schema/observers-file';
import { endpointFields } from '../schema/parts';
import { durationOf, parseRate } from '../units';
import { linkAuth } from './auth';
import { linkTls } from './tls';

const DEFAULT_TIMEOUT = '10s';
const DEFAULT_CONCURRENCY = 32;

/** What an endpoint problems, or an action that is its own. */
type Destination = Omit<EndpointShape, 'url'> & { readonly url?: string | undefined };

/** An action's way of saying where it sends to: a named endpoint, or one of its own. */
export type ActionDestination = Omit<Destination, 'headers'> & { readonly endpoint?: string | undefined };

const ENDPOINT_KEYS = Object.keys(endpointFields) as (keyof typeof endpointFields)[];

export class EndpointLinker {
  /** Those under `endpoints:`. */
  readonly named = new Map<string, EndpointDefinition>();
  /** By the name of an endpoint: how many deliveries its first action sends as one request. */
  private readonly batches = new Map<string, number>();

  constructor(private readonly problems: FileProblems) {}

  define(name: string, shape: Destination, path: Path): EndpointDefinition {
    const url = shape.url ?? '';
    this.warnAboutAddress(name, url, shape.allow_addresses ?? [], [...path, 'url']);
    this.problems.check([...path, 'url'], urlProblem(url));
    this.problems.template([...path, 'url'], () => compileTemplate(url, 'url'));
    if (hasFragment(url)) this.problems.warnings.push(this.problems.source.problem([...path, 'url'], FRAGMENT));
    this.headers(shape.headers ?? {}, [...path, 'headers']);
    const secrets = shape.signing?.secrets ?? [];
    secrets.forEach((secret, i) => this.problems.check([...path, 'signing', 'secrets', i], secretProblem(secret)));
    (shape.allow_addresses ?? []).forEach((entry, i) => this.problems.check([...path, 'allow_addresses', i], addressProblem(entry)));
    if (shape.proxy !== undefined) this.problems.check([...path, 'proxy'], proxyProblem(shape.proxy));
    const tls = linkTls(this.problems, shape.tls, url, [...path, 'tls']);
    const auth = linkAuth(this.problems, shape.auth, { url, headers: shape.headers ?? {}, tls, path });
    if (auth?.type === 'oauth2') this.warnAboutAddress(name, auth.tokenUrl, shape.allow_addresses ?? [], [...path, 'auth', 'token_url']);
    return {
      name,
      url,
      headers: shape.headers ?? {},
      signingSecrets: secrets,
      auth,
      timeout: durationOf(shape.timeout ?? DEFAULT_TIMEOUT),
      ...linkLimits(shape),
      allowAddresses: shape.allow_addresses ?? [],
      tls,
      proxy: shape.proxy ?? null,
    };
  }

  /**
   * The endpoint that an action names, or one of its own.
   *
   * @param batch deliveries in one request; the endpoint's places are counted in deliveries, so it is the same for all that use it
   */
  of(shape: ActionDestination, ownName: string, path: Path, batch = 1): EndpointDefinition {
    if ((shape.endpoint === undefined) === (shape.url === undefined))
      this.problems.add(path, 'give either endpoint (a name under endpoints:) or url');
    return shape.endpoint === undefined ? this.define(ownName, shape, path) : this.find(shape.endpoint, shape, path, batch);
  }

  private find(name: string, shape: ActionDestination, path: Path, batch: number): EndpointDefinition {
    const others = this.batches.get(name) ?? batch;
    this.batches.set(name, others);
    if (others !== batch)
      this.problems.add(
        [...path, 'endpoint'],
        `all actions of the endpoint "${name}" need the same batch.max (or no batch): its places are shared; give this one an endpoint of its own`,
      );
    for (const key of ENDPOINT_KEYS) {
      if (shape[key] !== undefined)
        this.problems.add([...path, key], `${key} belongs to the endpoint "${name}", for all actions that use it`);
    }
    const found = this.named.get(name);
    this.problems.mentions.uses(endpointOwner(name));
    if (found !== undefined) return found;
    const known = [...this.named.keys()];
    this.problems.add([...path, 'endpoint'], `there is no endpoint "${name}"${didYouMean(name, known)}`);
    return NOWHERE;
  }

  /** It would be refused on each delivery. Names are looked up then; an address is known now. */
  private warnAboutAddress(name: string, url: string, allow: readonly string[], path: Path): void {
    const host = literalHost(url);
    if (host === null || allow.some((entry) => addressProblem(entry) !== null)) return;
    const policy = new AddressPolicy(allow, name);
    const address = isIP(host) ? host : LOOPBACK;
    if (policy.allows(address, host)) return;
    const { message } = policy.refusal(address, host);
    this.problems.warnings.push(this.problems.source.problem(path, `every delivery will be refused: ${message}`));
  }

  headers(headers: Readonly<Record<string, string>>, path: Path): void {
    for (const [header, value] of Object.entries(headers)) {
      const problem = headerProblem(header, value);
      if (problem === null) this.problems.template([...path, header], () => compileTemplate(value, 'header'));
      else this.problems.add([...path, header], problem);
    }
    const repeated = repeatedHeader(Object.keys(headers));
    if (repeated !== null) this.problems.add([...path, repeated], `the header ${repeated} is there already, in other letters`);
  }
}

const FRAGMENT = 'what stands behind # is never sent; for the sign itself write %23';

/** The owner of what stands in a named endpoint's texts. */
export function endpointOwner(name: string): string {
  return `endpoint ${name}`;
}

const LOOPBACK = '127.0.0.1';

/** The host of a URL when it is an address, or a name for this machine (RFC 6761); null otherwise. */
function literalHost(url: string): string | null {
  const origin = /^https?:\/\/[^/?#{]+/i.exec(url)?.[0] ?? '';
  if (!URL.canParse(origin)) return null;
  const host = new URL(origin).hostname.replace(/^\[|\]$/g, '');
  return isIP(host) || /(^|\.)localhost\.?$/.test(host) ? host : null;
}

/** Stands in for an endpoint that there is not; the problem is on record. */
const NOWHERE: EndpointDefinition = {
  name: '',
  url: '',
  headers: {},
  signingSecrets: [],
  auth: null,
  timeout: 0,
  concurrency: 1,
  rateLimit: null,
  circuitBreaker: null,
  allowAddresses: [],
  tls: null,
  proxy: null,
};

/** Of an endpoint, or of an action that is its own. */
export function linkLimits(shape: Pick<Destination, 'concurrency' | 'rate_limit' | 'circuit_breaker'>): EndpointLimits {
  return {
    concurrency: shape.concurrency ?? DEFAULT_CONCURRENCY,
    rateLimit: shape.rate_limit === undefined ? null : parseRate(shape.rate_limit),
    circuitBreaker: breakerOf(shape.circuit_breaker ?? {}),
  };
}

function breakerOf(shape: NonNullable<Destination['circuit_breaker']>): BreakerPolicy | null {
  if (shape === 'off') return null;
  const { failureRate, minimum, window, openFor } = DEFAULT_BREAKER;
  return {
    failureRate: shape.failure_rate ?? failureRate,
    minimum: shape.minimum ?? minimum,
    window: shape.window === undefined ? window : durationOf(shape.window),
    openFor: shape.open_for === undefined ? openFor : durationOf(shape.open_for),
  };
}
