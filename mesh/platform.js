// Which machines can share a compiled addon: of one system, processor and C library. Plain JavaScript for Node 20 and later.

/** Such as `linux-x64` (glibc), `linux-x64-musl`, `darwin-arm64`. */
export function platformFolder() {
  return `${process.platform}-${process.arch}${isMusl() ? '-musl' : ''}`;
}

/** Node says which glibc it runs on; where there is none on Linux, it is musl. */
function isMusl() {
  if (process.platform !== 'linux') return false;
  const { header } = process.report.getReport();
  return header.glibcVersionRuntime === undefined;
}
