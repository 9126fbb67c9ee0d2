/** `arguments`: what CXX says behind the command. @throws BuildError where there is none */
export function findCompiler(): {
  readonly command: string;
  readonly arguments: readonly string[];
  readonly version: string;
};
