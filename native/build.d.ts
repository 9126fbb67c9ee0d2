export interface Compiler {
  readonly command: string;
  /** What CXX says behind the command. */
  readonly arguments: readonly string[];
  /** Another one compiles everything anew. */
  readonly version: string;
}

/** @throws BuildError where there is none */
export function findCompiler(): Compiler;

export interface Machine {
  readonly platform: string;
  readonly arch: string;
  /** Where meshward.node and what it is made from are kept; below native/build/ where it is in native/. */
  readonly folder: string;
  readonly compiler: Compiler;
  readonly linkFlags: readonly string[];
}

/**
 * Brings meshward.node in the machine's folder up to date; only one process builds there at a time.
 * @param machine for which it is; by default this one, into build/. @returns how many files were compiled.
 */
export function buildAddon(machine?: Machine): Promise<number>;
