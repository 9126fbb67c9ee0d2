/** Figures of the host for heartbeats. One sampler serves all agents of a process: the host is the same for all of them. */
import { readFile, statfs } from 'node:fs/promises';
import { cpus, freemem, totalmem } from 'node:os';
import type { Clock } from '#mesh/clock.ts';

export interface HostFigures {
  /** 0 … 1, over the time since the sample before. */
  readonly cpuUsedRatio: number;
  readonly memoryUsedBytes: number;
  /** Since the sampler was made. */
  readonly networkReceivedBytes: number;
  readonly networkSentBytes: number;
  readonly processMemoryMib: number;
  /** 0 … 1, of the last ten seconds; 0 where the system does not tell. */
  readonly diskWaitRatio: number;
}

export interface DiskFigures {
  readonly usedBytes: number;
  readonly capacityBytes: number;
}

export interface VitalsSampler {
  host(): Promise<HostFigures>;
  /** Of the file system that holds `path`; null where it cannot be told. */
  disk(path: string): Promise<DiskFigures | null>;
}

/** @param freshMs a sample is used again for so long. */
export function createVitalsSampler(clock: Clock, freshMs = 1000): VitalsSampler {
  const firstNetwork = readNetwork();
  let lastCpu = cpuTimes();
  let cpuUsedRatio = 0;
  let sampledAtMs = Number.NEGATIVE_INFINITY;
  let sample: Promise<HostFigures> | null = null;

  const take = async (): Promise<HostFigures> => {
    const now = cpuTimes();
    const totalTime = now.total - lastCpu.total;
    if (totalTime > 0) cpuUsedRatio = Math.min(1, Math.max(0, 1 - (now.idle - lastCpu.idle) / totalTime));
    lastCpu = now;
    const [first, network, memoryUsedBytes, diskWaitRatio] = await Promise.all([
      firstNetwork,
      readNetwork(),
      readMemoryUsed(),
      readDiskWait(),
    ]);
    return {
      cpuUsedRatio,
      memoryUsedBytes,
      networkReceivedBytes: Math.max(0, network.received - first.received),
      networkSentBytes: Math.max(0, network.sent - first.sent),
      processMemoryMib: Math.round(process.memoryUsage.rss() / 1024 / 1024),
      diskWaitRatio,
    };
  };

  return {
    host() {
      const nowMs = clock.monotonicMs();
      if (sample === null || nowMs - sampledAtMs >= freshMs) {
        sampledAtMs = nowMs;
        sample = take();
      }
      return sample;
    },
    async disk(path) {
      try {
        const { bsize, blocks, bfree, bavail } = await statfs(path);
        // As df has it: what is kept for root alone is no capacity of the peer's.
        const used = blocks - bfree;
        return { usedBytes: used * bsize, capacityBytes: (used + bavail) * bsize };
      } catch {
        return null; // the folder is gone: heartbeats stop for it anyhow
      }
    },
  };
}

function cpuTimes(): { total: number; idle: number } {
  let total = 0;
  let idle = 0;
  for (const { times } of cpus()) {
    total += times.user + times.nice + times.sys + times.idle + times.irq;
    idle += times.idle;
  }
  return { total, idle };
}

/** Without what the kernel would give back: free memory alone looks like a full host. */
async function readMemoryUsed(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8').catch(() => '');
  const availableKib = /^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1];
  return totalmem() - (availableKib === undefined ? freemem() : Number(availableKib) * 1024);
}

/** Pressure on disks as Linux tells it. */
async function readDiskWait(): Promise<number> {
  const text = await readFile('/proc/pressure/io', 'utf8').catch(() => '');
  return Number(/^some avg10=([\d.]+)/m.exec(text)?.[1] ?? 0) / 100;
}

/** Bytes of all interfaces but the loopback; zeros where the system does not tell. */
async function readNetwork(): Promise<{ received: number; sent: number }> {
  const text = await readFile('/proc/net/dev', 'utf8').catch(() => '');
  let received = 0;
  let sent = 0;
  for (const line of text.split('\n')) {
    const match = /^\s*([^\s:]+):\s*(.*)$/.exec(line);
    if (match === null || match[1] === 'lo') continue;
    const columns = (match[2] as string).trim().split(/\s+/).map(Number);
    received += columns[0] ?? 0;
    sent += columns[8] ?? 0;
  }
  return { received, sent };
}
