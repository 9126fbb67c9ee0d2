/** Figures as people read them. */

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

export function bytes(count: number): string {
  let value = Math.round(count);
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

export function whole(count: number): string {
  return Math.round(count).toLocaleString('en');
}

/** Large counts at a glance: `10.4 M`. */
export function short(count: number): string {
  for (const [size, word] of [
    [1e9, ' G'],
    [1e6, ' M'],
    [1e4, ' k'],
  ] as const) {
    if (Math.abs(count) < size) continue;
    const value = count / (word === ' k' ? 1000 : size);
    return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)}${word}`;
  }
  return whole(count);
}

export function plural(count: number, one: string, several = `${one}s`): string {
  return `${whole(count)} ${count === 1 ? one : several}`;
}

export function percent(part: number): string {
  if (part > 0 && part < 0.001) return '<0.1 %';
  if (part > 0.999 && part < 1) return '>99.9 %';
  return `${(part * 100).toFixed(part === 0 || part === 1 || part > 0.1 ? 0 : 1)} %`;
}

export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60 === 0 ? '' : `${seconds % 60} s`}`.trim();
  const hours = Math.floor(seconds / 3600);
  if (hours < 48) return `${hours} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function clock(ms: number): string {
  return new Date(ms).toLocaleTimeString('en-GB');
}

export function moment(ms: number): string {
  const date = new Date(ms);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? clock(ms) : `${date.toISOString().slice(0, 10)} ${clock(ms).slice(0, 5)}`;
}

export function ago(ms: number, nowMs = Date.now()): string {
  const past = nowMs - ms;
  return past < 2000 ? 'now' : `${duration(past)} ago`;
}

/** Enough of a storage index to tell it from others. */
export function brief(storageIndex: string): string {
  return storageIndex.slice(0, 10);
}
