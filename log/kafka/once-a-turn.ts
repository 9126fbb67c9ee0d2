/** @returns what asks for `run`: however often it is called in one turn of the event loop, `run` comes once, behind that turn. */
export function onceATurn(run: () => void): () => void {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    queueMicrotask(() => {
      isDue = false;
      run();
    });
  };
}
