import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DockerfileParser, type Instruction } from 'dockerfile-ast';
import { run } from './program';

const ROOT = join(__dirname, '../..');
export const DOCKERFILE = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');

/** What `docker build` would make, as folders of this machine. The base image is this machine itself. */
export interface Image {
  /** What is `/` in the image, without what its base brings. */
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  /** The program and its first arguments, with paths of this machine. */
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly healthcheck: readonly string[];
  /** A path of the image as one of this machine. */
  path(inside: string): string;
}

interface Stage {
  readonly root: string;
  readonly env: Record<string, string>;
  workdir: string;
  user: string;
  entrypoint: string[];
  cmd: string[];
  healthcheck: string[];
}

/**
 * Does the steps of the Dockerfile in a folder, for there is no Docker here: what it COPYs, RUNs and sets. It knows the instructions that our Dockerfile
 * has, and refuses others.
 */
export async function buildImage(folder: string, args: Readonly<Record<string, string>> = {}): Promise<Image> {
  const stages = new Map<string, Stage>();
  let stage: Stage | null = null;
  for (const instruction of DockerfileParser.parse(DOCKERFILE).getInstructions()) {
    if (instruction.getKeyword() === 'FROM') {
      const name = /AS (\w+)$/.exec(textOf(instruction))?.[1] ?? 'final';
      stage = { root: join(folder, name), env: {}, workdir: '/', user: 'root', entrypoint: [], cmd: [], healthcheck: [] };
      mkdirSync(stage.root);
      stages.set(name, stage);
    } else if (stage !== null) await perform(instruction, stage, stages, args);
  }
  const final = stages.get('final');
  if (final === undefined) throw new Error('the Dockerfile has no last stage without a name');
  const path = (inside: string): string => join(final.root, inside);
  // Only what comes from the image is where it says; node is the base image's.
  const local = (word: string): string => (word.startsWith('/') && existsSync(path(word)) ? path(word) : word);
  return { ...final, env: { ...final.env }, entrypoint: final.entrypoint.map(local), path };
}

const textOf = (instruction: Instruction): string =>
  instruction
    .getArguments()
    .map((one) => one.getValue())
    .join(' ');
const jsonIn = (text: string): string[] => JSON.parse(/\[[^]*\]$/.exec(text)?.[0] ?? 'no list') as string[];

async function perform(instruction: Instruction, stage: Stage, stages: ReadonlyMap<string, Stage>, args: Readonly<Record<string, string>>) {
  const text = textOf(instruction);
  const assignments = (): [string, string][] => instruction.getArguments().map((one) => assignment(one.getValue()));
  switch (instruction.getKeyword()) {
    case 'ARG': {
      const [name, value] = assignment(text);
      // Not one of those that name the base image.
      stage.env[name] = args[name] ?? value;
      return;
    }
    case 'ENV':
      for (const [name, value] of assignments()) stage.env[name] = value;
      return;
    case 'WORKDIR':
      stage.workdir = resolve(stage.workdir, text);
      return void mkdirSync(join(stage.root, stage.workdir), { recursive: true });
    case 'COPY':
      return copy(
        instruction.getArguments().map((one) => one.getValue()),
        fromOf(instruction),
        stage,
        stages,
      );
    case 'RUN':
      return shell(instruction, stage);
    case 'USER':
      stage.user = text;
      return;
    case 'ENTRYPOINT':
      stage.entrypoint = jsonIn(text);
      return;
    case 'CMD':
      stage.cmd = jsonIn(text);
      return;
    case 'HEALTHCHECK':
      stage.healthcheck = jsonIn(instruction.getRawArgumentsContent() ?? '');
      return;
    case 'LABEL':
    case 'EXPOSE':
      return;
    default:
      throw new Error(`this test does not know ${instruction.getKeyword()}`);
  }
}

function assignment(text: string): [string, string] {
  const [, name = '', value = ''] = /^(\w+)=?"?(.*?)"?$/.exec(text) ?? [];
  return [name, value];
}

const fromOf = (instruction: Instruction): string | null => /--from=(\w+)/.exec(instruction.toString())?.[1] ?? null;

function copy(words: readonly string[], from: string | null, stage: Stage, stages: ReadonlyMap<string, Stage>): void {
  const sources = words.slice(0, -1);
  const target = join(stage.root, resolve(stage.workdir, words.at(-1)!));
  for (const source of sources) {
    if (from !== null) cpSync(join(stages.get(from)!.root, source), target, { recursive: true, verbatimSymlinks: true });
    else if (source === '.') for (const name of context()) cpSync(join(ROOT, name), join(target, name), { recursive: true });
    else if (!context().includes(source)) throw new Error(`.dockerignore leaves ${source} out`);
    else cpSync(join(ROOT, source), words.at(-1)!.endsWith('/') ? join(target, source) : target, { recursive: true });
  }
}

/** What .dockerignore lets through: it takes everything away, and then names what is there. */
function context(): string[] {
  const [first, ...names] = readFileSync(join(ROOT, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (first !== '*' || !names.every((line) => /^![\w.-]+$/.test(line)))
    throw new Error('.dockerignore is not in the form that this test knows');
  return names.map((line) => line.slice(1));
}

async function shell(instruction: Instruction, stage: Stage): Promise<void> {
  const command = instruction.getRawArgumentsContent() ?? '';
  const cwd = join(stage.root, stage.workdir);
  if (/^npm ci --ignore-scripts --no-audit --no-fund$/.test(command)) {
    // With the dependencies for building: they are those of this checkout, by the same lock file. It saves a minute.
    return symlinkSync(join(ROOT, 'node_modules'), join(cwd, 'node_modules'));
  }
  const env = { ...process.env, npm_config_prefer_offline: 'true', npm_config_update_notifier: 'false', ...stage.env };
  const { code, out, err } = await run('sh', ['-c', command], { cwd, env });
  if (code !== 0) throw new Error(`RUN ${command}\n${out}${err}`);
}
