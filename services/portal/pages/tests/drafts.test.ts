import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { Drafts as DraftsType } from '../src/editor/drafts';
import { withRequirement } from '../src/editor/drafting';
import type { Framework } from '../src/editor/requests';

// The requests know the page's origin.
vi.stubGlobal('window', { location: { origin: 'http://127.0.0.1', hash: '' }, addEventListener: () => undefined });

let Drafts: typeof DraftsType;

beforeAll(async () => {
  ({ Drafts } = await import('../src/editor/drafts'));
});

const published = { id: 'f', requirements: [{ job_group: 'g', skill: 's', level: 1 }] } as Framework;

describe('a framework that is being changed', () => {
  it('has unproposed changes once a required level differs from the published one', () => {
    const drafts = new Drafts('f');
    expect(drafts.isUnproposed).toBe(false);
    drafts.published.value = published;
    drafts.begin();
    expect(drafts.isUnproposed).toBe(false);
    drafts.begin(withRequirement(published, 'g', null, 's', 2));
    expect(drafts.isUnproposed).toBe(true);
    drafts.begin(withRequirement(published, 'g', null, 's', 1));
    expect(drafts.isUnproposed).toBe(false);
  });

  it('keeps the revision from which the changes began when its page opens again', async () => {
    const fetched = vi.fn().mockRejectedValue(new Error('not to be read'));
    vi.stubGlobal('fetch', fetched);
    const drafts = new Drafts('f');
    drafts.published.value = published;
    drafts.begin();
    await drafts.load();
    expect(fetched).not.toHaveBeenCalled();
    expect(drafts.error.value).toBeUndefined();
  });
});
