/** What the reader has said, asked and tried: the state behind the controls, and the requests that change it. */

import * as server from './server.js';

/** A name of one submission: sent again under it, it counts once. (`randomUUID` needs HTTPS, this does not.) */
const newKey = () =>
  `page-${[...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;

const blank = (officer, role) => ({ officer, role, busy: new Set(), keys: new Map(), pickers: {}, revision: 0,
  feedback: undefined, feedbackFailed: undefined, profile: undefined, profileFailed: undefined, told: undefined,
  finishing: undefined, whyNot: {}, whatIf: { time: 'same', took: [] }, time: {} });

/**
 * Return the controls of one page. `changed()` draws them; `signedOut(error)` is told that the session is over.
 * `state` is replaced when another officer's page opens, so an answer that comes late lands in what nobody sees.
 */
export function createDesk({ changed, signedOut }) {
  const desk = { state: blank() };

  /** Do one thing at a time by this name; `failed(error)` where a request was refused. */
  async function once(name, work, failed) {
    const mine = desk.state;
    if (mine.busy.has(name)) return;
    mine.busy.add(name);
    changed();
    try {
      await work(mine);
    } catch (error) {
      if (!(error instanceof server.Refusal)) throw error;
      if (error.status === 401 && mine === desk.state) signedOut(error);
      else await failed(error, mine);
    } finally {
      mine.busy.delete(name);
      if (mine === desk.state) changed();
    }
  }

  async function readFeedback(mine) {
    try {
      const found = await server.feedback(mine.officer);
      mine.feedbackFailed = undefined;
      if (found.feedback_sequence < (mine.feedback?.feedback_sequence ?? 0)) return; // overtaken by a newer answer
      mine.feedback = found;
    } catch (error) {
      if (!(error instanceof server.Refusal)) throw error;
      if (error.status !== 404) mine.feedbackFailed = error;
      return;
    }
    settle(mine);
  }

  const newest = (mine, id) => (mine.feedback?.said ?? []).filter((one) => one.course === id).at(-1);

  /** What was said was taken: there is no more to ask about this course. */
  function noted(mine, told) {
    mine.told = told;
    if (mine.finishing?.course === told.course.id) mine.finishing = undefined;
  }

  /** An answer may be lost on the way: what stands now tells whether the last word was taken all the same. */
  function settle(mine) {
    const { error, course, action, before } = mine.told ?? {};
    if (!error || mine.feedback.feedback_sequence <= before.sequence) return;
    const last = newest(mine, course.id);
    const taken = action === 'undo' ? last?.sequence !== before.last : last?.action === action && last.sequence > before.sequence;
    if (taken) noted(mine, { course, action, revision: 0 });
  }

  async function readProfile(mine) {
    mine.profile = await server.officer(mine.officer);
    mine.profileFailed = undefined;
  }

  /** Read what was said and the profile; asked while it is being read, it is read once more. */
  function look() {
    desk.state.again = true;
    return once('look', async (mine) => {
      while (mine.again) {
        mine.again = false;
        await Promise.all([readFeedback(mine), readProfile(mine)]);
      }
    }, (error, mine) => {
      if (!mine.profile) mine.profileFailed = error;
    });
  }

  return Object.assign(desk, {
    look,

    /** Begin anew, for this officer or for nobody. */
    open(officer, role) {
      desk.state = blank(officer, role);
    },

    /** A path came in: read again what it was made from where that has moved on. */
    arrived(recommended) {
      const mine = desk.state;
      const { versions } = recommended.path;
      mine.revision = recommended.revision;
      mine.similar = undefined; // a course of the new path may be among them
      const heard = (versions.feedback ?? 0) === mine.feedback?.feedback_sequence;
      if (!heard || versions.profile !== mine.profile?.sequence) look();
    },

    /** Ask when this course was finished, or of none; `complaint` is the key of what is wrong with the day. */
    finish(course, complaint) {
      desk.state.finishing = course && { course: course.id, complaint };
      changed();
    },

    /**
     * Say something about a course ({id, title}), or take it back with `undo`. `at` is the moment when it came true, if
     * that is not now. Sent again after a failure, it counts once.
     */
    say(course, action, at) {
      const before = { sequence: desk.state.feedback?.feedback_sequence ?? 0, last: newest(desk.state, course.id)?.sequence };
      return once('say', async (mine) => {
        const intent = `${course.id} ${action} ${at ?? ''} ${before.sequence}`;
        mine.told = { course, action, saving: true };
        changed();
        if (!mine.keys.has(intent)) mine.keys.set(intent, newKey());
        const taken = await server.tell(mine.officer, { course: course.id, action, at }, mine.keys.get(intent));
        mine.keys.delete(intent);
        noted(mine, { course, action, stale: taken.stale, revision: taken.revision });
        await readFeedback(mine);
      }, async (error, mine) => {
        mine.told = { course, action, error, before };
        await readFeedback(mine);
      });
    },

    forget() {
      desk.state.told = undefined;
      changed();
    },

    /** Choose a skill in a picker and learn which courses teach it. */
    choose(name, framework, skill) {
      const mine = desk.state;
      const chosen = { skill, courses: undefined, error: undefined };
      mine.pickers[name] = chosen;
      if (!skill || skill === 'path') {
        changed();
        return undefined;
      }
      return once(`courses-${name}-${skill}`, async () => {
        const found = await server.coursesTeaching(framework, skill);
        chosen.courses = found.map(({ id, title, hours }) => ({ id, title, hours }));
      }, (error) => {
        chosen.error = error;
      });
    },

    /** Ask why a course is not in the path. */
    askWhyNot(course) {
      return once('why-not', async (mine) => {
        mine.whyNot = { course };
        mine.whyNot = { course, answer: await server.whyNot(mine.officer, course.id) };
      }, (error, mine) => {
        mine.whyNot = { course, error };
      });
    },

    /** Read the alternatives of the path's steps, once: a path that comes while the page is open is without them. */
    askAlternatives() {
      if (desk.state.alternatives?.asked === desk.state.revision) return undefined;
      const asked = desk.state.revision;
      return once('alternatives', async (mine) => {
        const { path } = await server.path(mine.officer);
        mine.alternatives = { asked, of: new Map(path.steps.map((step) => [step.course.id, step.alternatives])) };
      }, (error, mine) => {
        mine.alternatives = { asked, of: new Map() };
      });
    },

    /** Ask for courses that teach like one of the path. */
    askSimilar(course) {
      return once('similar', async (mine) => {
        mine.similar = { course: course.id };
        mine.similar = { course: course.id, found: (await server.similar(mine.officer, course.id)).similar };
      }, (error, mine) => {
        mine.similar = { course: course.id, error };
      });
    },

    /** Try a wish (the body of a recommendation) out; nothing is stored. */
    tryOut(wish) {
      return once('what-if', async (mine) => {
        mine.whatIf.error = undefined;
        const { path } = await server.recommend(wish);
        mine.whatIf.path = path;
      }, (error, mine) => {
        mine.whatIf.error = error;
        mine.whatIf.path = undefined;
      });
    },

    /** Change fields of what is being tried, and draw them. */
    wish(fields) {
      Object.assign(desk.state.whatIf, fields);
      changed();
    },

    /** Store weekly hours and deadline (either may be null) with the rest of the profile as it is. */
    saveTime(weekly, deadline) {
      return once('time', async (mine) => {
        const { job_group, agency, framework, stage, languages, sequence } = mine.profile;
        const profile = { job_group, agency, framework, stage: stage ?? null, languages: languages ?? [],
          weekly_hours: weekly, deadline };
        const { changed: different } = await server.putOfficer(mine.officer, profile, sequence);
        mine.time = { saved: different ? 'timeSaved' : 'timeSame' };
        await readProfile(mine);
      }, async (error, mine) => {
        mine.time = { error };
        if (error.status === 412) await readProfile(mine).catch(() => {});
      });
    },

    /** Say in words that what was typed will not do. */
    complain(place, complaint) {
      desk.state[place] = { ...desk.state[place], complaint, error: undefined, saved: undefined };
      changed();
    },
  });
}
