/**
 * What an agent must not forget: how often it started, how many inventories it took, its port, its swissnum, its enrolment.
 * One small file, written durably before anything that depends on it is sent.
 */
import { mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isAbsent, writeDurably } from '#mesh/durable-file.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import { randomSwissnum } from '#tahoe/identity/nurl.ts';

const enrolmentSchema = z.object({
  name: z.string(),
  domains: z.record(z.string(), z.string()),
  enrolledAtMs: z.number(),
});

const stateSchema = z.object({
  peerId: z.string(),
  incarnation: z.number().int().min(0),
  generation: z.number().int().min(0),
  port: z.number().int().min(0).max(65_535),
  /** Whether the share folder was marked as this peer's, so that a missing mark means a missing disk. */
  hasMark: z.boolean(),
  enrolment: enrolmentSchema.nullable(),
});

type StoredState = z.infer<typeof stateSchema>;
export type StoredEnrolment = z.infer<typeof enrolmentSchema>;

const stateFileName = 'state.json';
const swissnumFileName = 'swissnum';

export class AgentState {
  readonly directory: string;
  #stored: StoredState;
  #writing: Promise<void> = Promise.resolve();

  private constructor(directory: string, stored: StoredState) {
    this.directory = directory;
    this.#stored = stored;
  }

  /** @throws MeshwardError `config-invalid` where the folder holds the state of another peer or cannot be used. */
  static async open(directory: string, peerId: string, log: Logger): Promise<AgentState> {
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new MeshwardError('config-invalid', `the agent's folder ${directory} cannot be made`, {
        next: 'Set agent.spoolDir to a folder on this machine that the agent may write.',
        cause: error,
      });
    }
    const fresh = { peerId, incarnation: 0, generation: 0, port: 0, hasMark: false, enrolment: null };
    const stored = (await readState(join(directory, stateFileName), log)) ?? fresh;
    if (stored.peerId !== peerId) {
      throw new MeshwardError(
        'config-invalid',
        `${directory} holds the state of peer ${stored.peerId}, not of ${peerId}`,
        {
          next: 'Give each peer its own agent.spoolDir, or remove this folder if its peer is gone for good.',
        },
      );
    }
    return new AgentState(directory, stored);
  }

  get incarnation(): number {
    return this.#stored.incarnation;
  }

  get generation(): number {
    return this.#stored.generation;
  }

  get port(): number {
    return this.#stored.port;
  }

  get hasMark(): boolean {
    return this.#stored.hasMark;
  }

  get enrolment(): StoredEnrolment | null {
    return this.#stored.enrolment;
  }

  /**
   * Counts this start, above every one that is known.
   * @param mark what the share folder remembers. @param heard the highest incarnation that the mesh has heard; 0 where it does not say.
   * @returns whether the mesh knew more than this machine does: its count was lost.
   */
  async beginIncarnation(mark: { incarnation: number; generation: number }, heard: number): Promise<boolean> {
    const remembered = Math.max(this.#stored.incarnation, mark.incarnation);
    await this.#write({
      incarnation: Math.max(remembered, heard) + 1,
      generation: Math.max(this.#stored.generation, mark.generation),
    });
    return heard > remembered;
  }

  /** The number of the inventory that begins now; durable before its first batch exists. */
  async nextGeneration(): Promise<number> {
    await this.#write({ generation: this.#stored.generation + 1 });
    return this.#stored.generation;
  }

  async setPort(port: number): Promise<void> {
    if (port !== this.#stored.port) await this.#write({ port });
  }

  async setHasMark(hasMark: boolean): Promise<void> {
    if (hasMark !== this.#stored.hasMark) await this.#write({ hasMark });
  }

  async setEnrolment(enrolment: StoredEnrolment): Promise<void> {
    await this.#write({ enrolment });
  }

  /** The secret part of this peer's address, made once. */
  async swissnum(): Promise<string> {
    const path = join(this.directory, swissnumFileName);
    try {
      const text = (await readFile(path, 'utf8')).trim();
      if (text !== '') return text;
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
    const swissnum = randomSwissnum();
    await writeDurably(path, `${swissnum}\n`);
    return swissnum;
  }

  #write(change: Partial<StoredState>): Promise<void> {
    const next = this.#writing
      .catch(() => undefined)
      .then(async () => {
        const stored = { ...this.#stored, ...change };
        await writeDurably(join(this.directory, stateFileName), `${JSON.stringify(stored, null, 2)}\n`);
        this.#stored = stored;
      });
    this.#writing = next;
    return next;
  }
}

/** Whether an agent with this folder was enrolled before, and needs no token. */
export async function wasEnrolled(directory: string, log: Logger): Promise<boolean> {
  const stored = await readState(join(directory, stateFileName), log);
  return stored !== null && stored.enrolment !== null;
}

async function readState(path: string, log: Logger): Promise<StoredState | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch {
    const aside = `${path}.damaged`;
    await rename(path, aside);
    log.error(
      { path: aside },
      "the agent's state was unreadable and is moved aside; counters go on from the mark in the share folder",
    );
    return null;
  }
}
