/** Who is logged in here, and the way out. Nothing where nobody has to. */
import type { JSX } from 'preact';
import { useAnswer } from '../ask.ts';
import type { PageFacts } from './guide.tsx';

interface Caller {
  readonly name: string;
  readonly role: string;
  /** A proxy logs its people out itself. */
  readonly by: 'token' | 'session' | 'proxy';
}

export function SignedIn(): JSX.Element | null {
  const facts = useAnswer<PageFacts>('/page/facts');
  const { value: caller } = useAnswer<Caller>(facts.value?.callers === true ? '/v1/access/caller' : null);
  if (caller === null) return null;
  return (
    <form class="caller" method="post" action="/logout">
      <span>
        {caller.name} <span class="quiet">({caller.role})</span>
      </span>
      {caller.by === 'session' ? <button type="submit">Log out</button> : null}
    </form>
  );
}
