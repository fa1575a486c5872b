import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CustomActionTypes } from '../../../src/config/custom-action-types';
import { observersSource, type LoadedConfiguration, type ObserversSource } from '../../../src/config/load';
import { ConfigurationError, type Problem } from '../../../src/config/problems';

/** A folder of its own with one observers file, which each call writes anew. */
export class ConfigFile {
  readonly folder = mkdtempSync(join(tmpdir(), 'observers-config-'));
  readonly path = join(this.folder, 'observers.yaml');

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  load(content: string | Buffer, env: Readonly<Record<string, string>> = {}, custom?: CustomActionTypes): LoadedConfiguration {
    writeFileSync(this.path, content);
    return this.source(env, custom).load();
  }

  source(env: Readonly<Record<string, string>> = {}, custom?: CustomActionTypes): ObserversSource {
    return observersSource({ env, configFile: this.path, ...(custom === undefined ? {} : { custom }) });
  }

  problemsOf(content: string | Buffer, env: Readonly<Record<string, string>> = {}): readonly Problem[] {
    try {
      this.load(content, env);
    } catch (error) {
      if (error instanceof ConfigurationError) return error.problems;
      throw error;
    }
    return [];
  }

  /** `line:column path: message`, as people read them. */
  told(content: string | Buffer, env: Readonly<Record<string, string>> = {}): string[] {
    return this.problemsOf(content, env).map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);
  }
}
