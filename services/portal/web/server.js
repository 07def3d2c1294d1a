/** Requests to the portal, the only server this page speaks to. The key itself is never kept here, only in the cookie. */

/** An answer other than success; `status` 0 means that there was no answer. */
export class Refusal extends Error {
  constructor(status, requestId) {
    super(`answer ${status}`);
    this.status = status;
    this.requestId = requestId;
  }
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { credentials: 'same-origin', cache: 'no-store', ...options });
  } catch {
    throw new Refusal(0);
  }
  if (!answer.ok) throw new Refusal(answer.status, answer.headers.get('X-Request-Id') ?? undefined);
  return answer.status === 204 ? undefined : answer.json();
}

/** Return {tenant, role, officer} of who is signed in. Throws Refusal 401 where nobody is. */
export const session = () => ask('/session');

/** Sign in with an API key; returns the session. */
export const signIn = (key) =>
  ask('/session', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ key }) });

/** Forget the key. */
export const signOut = () => ask('/session', { method: 'DELETE' });

/** Return a framework: its areas, skills, scale and job groups. */
export const framework = (id) => ask(`/api/v1/frameworks/${encodeURIComponent(id)}`);

/** Return an officer's profile. */
export const officer = (id) => ask(`/api/v1/officers/${encodeURIComponent(id)}`);
