/** The page's only state, and the requests that change it. */

import * as api from './api.js';

/** Return a new Idempotency-Key. (`randomUUID` needs HTTPS, this does not.) */
const newKey = () =>
  `page-${[...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;

/** What is shown. `view` is one of: loading, signIn, choose, waiting, unknown, path, erased, failed. */
const emptyPage = () => ({ view: 'loading', session: undefined, officer: undefined, complaint: undefined, requestId: undefined,
  recommended: undefined, framework: undefined, change: undefined, connection: undefined, stop: undefined });

/** What the reader entered, asked and tried at one officer's path. */
const emptyControls = (officer, role) => ({ officer, role, busy: new Set(), keys: new Map(), pickers: {}, revision: 0,
  feedback: undefined, feedbackFailed: undefined, profile: undefined, profileFailed: undefined, lastFeedback: undefined,
  finishing: undefined, whyNot: {}, whatIf: { time: 'same', took: [] }, time: {} });

/**
 * Return the store of one page. `changed()` renders; `signedOut(error)` is called when the session has ended.
 * `controls` is replaced when another officer's page opens, so a late answer changes an object that is no longer shown.
 */
export function createStore({ changed, signedOut }) {
  const store = { page: emptyPage(), controls: emptyControls() };

  /** Run one task of this name at a time; `failed(error)` handles a refused request. */
  async function exclusive(name, work, failed) {
    const mine = store.controls;
    if (mine.busy.has(name)) return;
    mine.busy.add(name);
    changed();
    try {
      await work(mine);
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      if (error.status === 401 && mine === store.controls) signedOut(error);
      else await failed(error, mine);
    } finally {
      mine.busy.delete(name);
      if (mine === store.controls) changed();
    }
  }

  async function readFeedback(mine) {
    try {
      const found = await api.feedback(mine.officer);
      mine.feedbackFailed = undefined;
      if (found.feedback_sequence < (mine.feedback?.feedback_sequence ?? 0)) return; // overtaken by a newer answer
      mine.feedback = found;
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      if (error.status !== 404) mine.feedbackFailed = error;
      return;
    }
    recover(mine);
  }

  const newest = (mine, id) => (mine.feedback?.said ?? []).filter((one) => one.course === id).at(-1);

  /** Record that feedback was stored: the form about this course closes. */
  function stored(mine, lastFeedback) {
    mine.lastFeedback = lastFeedback;
    if (mine.finishing?.course === lastFeedback.course.id) mine.finishing = undefined;
  }

  /** Where the answer to the last feedback was lost, find out from the stored statements whether it was stored. */
  function recover(mine) {
    const { error, course, action, before } = mine.lastFeedback ?? {};
    if (!error || mine.feedback.feedback_sequence <= before.sequence) return;
    const last = newest(mine, course.id);
    const taken = action === 'undo' ? last?.sequence !== before.last : last?.action === action && last.sequence > before.sequence;
    if (taken) stored(mine, { course, action, revision: 0 });
  }

  async function readProfile(mine) {
    mine.profile = await api.officer(mine.officer);
    mine.profileFailed = undefined;
  }

  /** Read statements and profile; when called during a read, read once more. */
  function reload() {
    store.controls.again = true;
    return exclusive('reload', async (mine) => {
      while (mine.again) {
        mine.again = false;
        await Promise.all([readFeedback(mine), readProfile(mine)]);
      }
    }, (error, mine) => {
      if (!mine.profile) mine.profileFailed = error;
    });
  }

  return Object.assign(store, {
    reload,

    /** Change what is shown, and render. */
    set(changes) {
      Object.assign(store.page, changes);
      changed();
    },

    /** Reset the controls for this officer, or for nobody. */
    open(officer, role) {
      store.controls = emptyControls(officer, role);
    },

    /** A path arrived: read statements and profile again if the path was made from newer ones. */
    arrived(recommended) {
      const mine = store.controls;
      const { versions } = recommended.path;
      mine.revision = recommended.revision;
      mine.similar = undefined; // a course of the new path may be among them
      const current = (versions.feedback ?? 0) === mine.feedback?.feedback_sequence;
      if (!current || versions.profile !== mine.profile?.sequence) reload();
    },

    /** Open the form that asks when a course was finished, or close it; `complaint` is the message key of a wrong day. */
    finish(course, complaint) {
      store.controls.finishing = course && { course: course.id, complaint };
      changed();
    },

    /**
     * Send feedback about a course ({id, title}); `undo` takes the last one back. `at` is when it became true, if that is
     * not now. A repeated submission after a failure counts once.
     */
    giveFeedback(course, action, at) {
      const before = { sequence: store.controls.feedback?.feedback_sequence ?? 0, last: newest(store.controls, course.id)?.sequence };
      return exclusive('feedback', async (mine) => {
        const intent = `${course.id} ${action} ${at ?? ''} ${before.sequence}`;
        mine.lastFeedback = { course, action, saving: true };
        changed();
        if (!mine.keys.has(intent)) mine.keys.set(intent, newKey());
        const taken = await api.giveFeedback(mine.officer, { course: course.id, action, at }, mine.keys.get(intent));
        mine.keys.delete(intent);
        stored(mine, { course, action, stale: taken.stale, revision: taken.revision });
        await readFeedback(mine);
      }, async (error, mine) => {
        mine.lastFeedback = { course, action, error, before };
        await readFeedback(mine);
      });
    },

    /** Close the toast. */
    closeToast() {
      store.controls.lastFeedback = undefined;
      changed();
    },

    /** Choose a skill in a course picker, and fetch the courses that teach it. */
    chooseSkill(name, framework, skill) {
      const mine = store.controls;
      const chosen = { skill, courses: undefined, error: undefined };
      mine.pickers[name] = chosen;
      if (!skill || skill === 'path') {
        changed();
        return undefined;
      }
      return exclusive(`courses-${name}-${skill}`, async () => {
        const found = await api.coursesTeaching(framework, skill);
        chosen.courses = found.map(({ id, title, hours }) => ({ id, title, hours }));
      }, (error) => {
        chosen.error = error;
      });
    },

    /** Fetch the reason why a course is not in the path. */
    askWhyNot(course) {
      return exclusive('why-not', async (mine) => {
        mine.whyNot = { course };
        mine.whyNot = { course, answer: await api.whyNot(mine.officer, course.id) };
      }, (error, mine) => {
        mine.whyNot = { course, error };
      });
    },

    /** Fetch the alternatives of the path's steps, once: a path that comes while the page is open is without them. */
    askAlternatives() {
      const asked = store.controls.revision;
      if (store.controls.alternatives?.asked === asked) return undefined;
      return exclusive('alternatives', async (mine) => {
        const { path } = await api.path(mine.officer);
        mine.alternatives = { asked, of: new Map(path.steps.map((step) => [step.course.id, step.alternatives])) };
      }, (error, mine) => {
        mine.alternatives = { asked, of: new Map() };
      });
    },

    /** Fetch courses that teach the same skills as one of the path. */
    askSimilar(course) {
      return exclusive('similar', async (mine) => {
        mine.similar = { course: course.id };
        mine.similar = { course: course.id, found: (await api.similar(mine.officer, course.id)).similar };
      }, (error, mine) => {
        mine.similar = { course: course.id, error };
      });
    },

    /** Fetch the path for a what-if `request` (the body of a recommendation); nothing is stored. */
    runWhatIf(request) {
      return exclusive('what-if', async (mine) => {
        mine.whatIf.error = undefined;
        const { path } = await api.recommend(request);
        mine.whatIf.path = path;
      }, (error, mine) => {
        mine.whatIf.error = error;
        mine.whatIf.path = undefined;
      });
    },

    /** Change fields of the what-if form, and render. */
    setWhatIf(fields) {
      Object.assign(store.controls.whatIf, fields);
      changed();
    },

    /** Store weekly hours and deadline (either may be null) with the rest of the profile unchanged. */
    saveTime(weekly, deadline) {
      return exclusive('time', async (mine) => {
        const { job_group, agency, framework, stage, languages, sequence } = mine.profile;
        const profile = { job_group, agency, framework, stage: stage ?? null, languages: languages ?? [],
          weekly_hours: weekly, deadline };
        const { changed: different } = await api.putOfficer(mine.officer, profile, sequence);
        mine.time = { saved: different ? 'timeSaved' : 'timeSame' };
        await readProfile(mine);
      }, async (error, mine) => {
        mine.time = { error };
        if (error.status === 412) await readProfile(mine).catch(() => {});
      });
    },

    /** Show the message of a wrong entry in the form `place`: `time` or `whatIf`. */
    complain(place, complaint) {
      store.controls[place] = { ...store.controls[place], complaint, error: undefined, saved: undefined };
      changed();
    },
  });
}
