export type Way = 'plain' | 'gcc' | 'clang' | 'address' | 'thread' | 'valgrind' | 'arm64' | 'fuzz';

/** Builds and runs the native test programs one way; a line for each. @throws Error where one fails or a tool is missing */
export function check(way: Way, options?: { readonly fuzzSeconds?: number }): Promise<string[]>;
