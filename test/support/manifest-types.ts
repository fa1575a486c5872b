import { join } from 'node:path';
import ts from 'typescript';
import type { Manifest } from './helm';

/** Where kubernetes-types, made from the OpenAPI document of Kubernetes 1.30, has the type of each kind. */
const MODULES: Readonly<Record<string, string>> = {
  'apps/v1 Deployment': 'apps/v1',
  'batch/v1 Job': 'batch/v1',
  'networking.k8s.io/v1 Ingress': 'networking/v1',
  'networking.k8s.io/v1 NetworkPolicy': 'networking/v1',
  'policy/v1 PodDisruptionBudget': 'policy/v1',
  'v1 ConfigMap': 'core/v1',
  'v1 Service': 'core/v1',
  'v1 ServiceAccount': 'core/v1',
};
/** Of the Prometheus operator: not in these types. */
const OTHERS = ['monitoring.coreos.com/v1 PrometheusRule', 'monitoring.coreos.com/v1 ServiceMonitor'];

/** What the compiler says about manifests written as literals of their types: fields that do not exist, are missing, or of another type. */
export function typeProblems(manifests: readonly Manifest[]): string[] {
  const known = manifests.filter(({ apiVersion, kind }) => !OTHERS.includes(`${apiVersion} ${kind}`));
  const source = known.map((manifest, i) => {
    const module = MODULES[`${manifest.apiVersion} ${manifest.kind}`] ?? 'unknown kind';
    return `import type { ${manifest.kind} as T${i} } from 'kubernetes-types/${module}';\nexport const m${i}: T${i} = ${JSON.stringify(manifest, null, 1)};`;
  });
  return compile(source.join('\n'));
}

function compile(source: string): string[] {
  // Beside this file, for the sake of node_modules; it is never written.
  const name = join(__dirname, 'manifests.virtual.ts');
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    module: ts.ModuleKind.ESNext,
  };
  const host = ts.createCompilerHost(options);
  const disk = ts.createCompilerHost(options);
  host.fileExists = (file) => file === name || disk.fileExists(file);
  host.getSourceFile = (file, version, ...rest) =>
    file === name ? ts.createSourceFile(file, source, version) : disk.getSourceFile(file, version, ...rest);
  host.readFile = (file) => (file === name ? source : disk.readFile(file));
  const program = ts.createProgram([name], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ messageText, start = 0 }) => {
    const line = source.slice(0, start).split('\n').length;
    return `${source.split('\n')[line - 1]}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}
