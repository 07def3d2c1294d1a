/** A learning path as its officer sees it, for somebody who reads it and changes nothing. */

import type { ComponentChildren, JSX } from 'preact';
import type { Framework, Recommended } from '../api';
import { NextStep } from './next_step';
import { Notes, OpenGaps, ToAssess } from './notices';
import { Skills } from './skills';
import { Steps } from './steps';
import { Summary } from './summary';

interface PlanProps {
  recommended: Recommended;
  title: string;
  framework?: Framework | undefined;
  /** The officer's hours a week, if they are known. */
  weekly?: number | undefined;
  children?: ComponentChildren;
}

/** The path with its reasons and skills; children stand at the end of its head. */
export function Plan({ recommended, title, framework, weekly, children }: PlanProps): JSX.Element {
  const { path } = recommended;
  return (
    <>
      <Summary recommended={recommended} framework={framework} title={title} whose={null} next={<NextStep path={path} visit={undefined} />}>
        {children}
      </Summary>
      <div class="columns">
        {path.steps.length > 0 && <Steps recommended={recommended} framework={() => framework} weekly={weekly} visit={undefined} />}
        <div class="beside">
          <ToAssess path={path} />
          <Skills path={path} framework={framework} />
          <OpenGaps path={path} />
          <Notes path={path} />
        </div>
      </div>
    </>
  );
}
