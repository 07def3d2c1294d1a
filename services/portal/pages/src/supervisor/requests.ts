/** The requests of the supervisors' page; see `src/api.ts`. */

import type * as assessment from '../../generated/assessment';
import type * as recommender from '../../generated/recommender';
import { answer, api } from '../api';

type R = recommender.components['schemas'];
type A = assessment.components['schemas'];

export type OfficerPath = R['OfficerPath'];
export type OfficerPaths = R['OfficerPaths'];
export type Form = A['SelfAssessmentForm'];
export type FormSkill = A['FormSkill'];

const PAGE = 200; // the most that the service returns at once

/** Return the officers of an agency whose paths may be read, after an id. */
export const listOfficerPaths = (agency_id: string, after: string | undefined): Promise<OfficerPaths> =>
  answer(
    api.GET('/v1/agencies/{agency_id}/paths', {
      params: { path: { agency_id }, query: { limit: PAGE, ...(after === undefined ? {} : { after }) } },
    }),
  );

/** Return the skills that an officer's job group requires, with their levels in words. */
export const readForm = (officer_id: string): Promise<Form> =>
  answer(api.GET('/v1/officers/{officer_id}/self-assessment', { params: { path: { officer_id } } }));

/** Submit a supervisor's rating; sent again under the same `key`, it counts once. */
export const submitRating = (officer_id: string, key: string, framework: string, results: A['Result'][], taken_at: string) =>
  answer(
    api.POST('/v1/officers/{officer_id}/assessments', {
      params: { path: { officer_id }, header: { 'Idempotency-Key': key } },
      body: { framework, kind: 'supervisor', results, taken_at },
    }),
  );
