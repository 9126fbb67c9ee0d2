/**
 * Path of the compiled launcher; compiles it where it is not there yet (under a second, needs cc, gcc or clang).
 * @throws Error that names what each compiler said.
 */
export function buildLauncher(options?: {
  readonly folder?: string;
  /** A program, or one with arguments. */
  readonly compiler?: string | readonly string[];
}): Promise<string>;
