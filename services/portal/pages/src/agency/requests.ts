/** The requests of the agency's page; see `src/api.ts`. */

import type * as recommender from '../../generated/recommender';
import { answer, api } from '../api';

type R = recommender.components['schemas'];

export type AgencyView = R['AgencyView'];
export type SkillGaps = R['SkillGaps'];
export type GroupGaps = R['GroupGaps'];
export type GroupSkill = R['GroupSkill'];
export type PastFigures = R['PastFigures'];

/** Which officers of an agency to report on, and by when training is to close their gaps. */
export interface AskGaps {
  framework?: string;
  deadline?: string;
  weekly_hours?: number;
}

/** Return the gaps of an agency's officers, as they are published. */
export const readGaps = (agency_id: string, query: AskGaps): Promise<AgencyView> =>
  answer(api.GET('/v1/agencies/{agency_id}/gaps', { params: { path: { agency_id }, query } }));

const MOST_LISTED = 500; // agencies; others are found by their code

/** Return the agencies of which an officer has a path. */
export const listAgencies = async (): Promise<string[]> =>
  (await answer(api.GET('/v1/agencies', { params: { query: { limit: MOST_LISTED } } }))).agencies;
