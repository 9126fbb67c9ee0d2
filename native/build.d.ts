/** `arguments`: what CXX says behind the command. @throws BuildError where there is none */
export function findCompiler(): {
  readonly command: string;
  readonly arguments: readonly string[];
  readonly version: string;
};

/** Brings build/meshward.node up to date; only one process builds at a time. @returns how many files were compiled. */
export function buildAddon(): Promise<number>;
