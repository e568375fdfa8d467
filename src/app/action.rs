//! Every verb of the interface, with its description. The help screen, the
//! keymap and its test walk this list.

/// To what a verb belongs, in the order of the help screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// What is run.
    Experiment,
    /// What is looked at.
    Picture,
    /// The program itself.
    Program,
}

impl Group {
    /// Every group, in order.
    pub const ALL: [Group; 3] = [Group::Experiment, Group::Picture, Group::Program];

    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Group::Experiment => "the experiment",
            Group::Picture => "the picture",
            Group::Program => "the program",
        }
    }
}

macro_rules! actions {
    ($($variant:ident $name:literal $group:ident $description:literal),+ $(,)?) => {
        /// Something a person asked for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action {
            $(#[doc = $description] $variant,)+
        }

        impl Action {
            /// Every action, in the order of the help screen.
            pub const ALL: &[Action] = &[$(Action::$variant,)+];

            /// Its name in the keymap.
            pub const fn name(self) -> &'static str {
                match self { $(Action::$variant => $name,)+ }
            }

            /// What it does, in a few words.
            pub const fn description(self) -> &'static str {
                match self { $(Action::$variant => $description,)+ }
            }

            /// To what it belongs.
            pub const fn group(self) -> Group {
                match self { $(Action::$variant => Group::$group,)+ }
            }
        }
    };
}

actions! {
    RunOrStop "run-or-stop" Experiment "run, or stop the run",
    NextModel "next-model" Experiment "next model; runs at once after a first run",
    PreviousModel "previous-model" Experiment "previous model, in the same way",
    NextWorkload "next-workload" Experiment "next workload",
    PreviousWorkload "previous-workload" Experiment "previous workload",
    MoreWorkers "more-workers" Experiment "one worker more",
    FewerWorkers "fewer-workers" Experiment "one worker fewer",
    LongerInterval "longer-interval" Experiment "longer switch interval, also while it runs",
    ShorterInterval "shorter-interval" Experiment "shorter switch interval",
    NextLength "next-length" Experiment "how long the work lasts one at a time",
    Baseline "baseline" Experiment "measure one at a time even over 10 s",
    Settings "settings" Experiment "settings seldom used: rules, tasks",
    Freeze "freeze" Picture "freeze the picture; the run goes on",
    NextHandoff "next-handoff" Picture "to the next hand-off; watch: the next wait",
    PreviousHandoff "previous-handoff" Picture "to the hand-off before; watch: the wait",
    CursorRight "cursor-right" Picture "cursor one cell later",
    CursorLeft "cursor-left" Picture "cursor one cell earlier",
    PanRight "pan-right" Picture "half a picture later",
    PanLeft "pan-left" Picture "half a picture earlier",
    ToBegin "to-begin" Picture "to the beginning of the run",
    ToEnd "to-end" Picture "to the end of what is recorded",
    ZoomIn "zoom-in" Picture "less time a cell",
    ZoomOut "zoom-out" Picture "more time a cell",
    WholeRun "whole-run" Picture "the whole run; again: turns",
    NextLane "next-lane" Picture "the cursor's lane: the next",
    PreviousLane "previous-lane" Picture "the cursor's lane: the one before",
    ScrollDown "scroll-down" Picture "lanes further down; watch, frozen: pick one",
    ScrollUp "scroll-up" Picture "lanes further up",
    Unfold "unfold" Picture "unfold a band of lanes; single lanes: fold",
    NextTrigger "next-trigger" Picture "where pictures start; watch: at long waits",
    Big "big" Picture "meter, lanes and sentence alone",
    ShowLab "show-lab" Program "the lab: one experiment",
    ShowCompare "show-compare" Program "compare: the same work under every model",
    ShowWatch "show-watch" Program "watch: choose a real Python program",
    ExactOnce "exact-once" Program "watch: exact for 0.1 s all the same",
    ByFunction "by-function" Program "watch: the table by function or by thread",
    Output "output" Program "watch: what the program printed",
    Type "type" Program "watch: type into the program; Esc leaves",
    Ledger "ledger" Program "compare: where the time went",
    Costs "costs" Program "compare: memory, start-up, hand-offs",
    Help "help" Program "this page",
    NextTheme "next-theme" Program "colours: dark, light, high contrast",
    NextWording "kitchen" Program "a kitchen's words, and back",
    Redraw "redraw" Program "draw everything anew",
    Close "close" Program "close what is open; let the picture go on",
    Suspend "suspend" Program "suspend gilscope and its run",
    Quit "quit" Program "leave",
}

impl Action {
    /// The action with this name, if there is one.
    pub fn from_name(name: &str) -> Option<Action> {
        Action::ALL.iter().copied().find(|action| action.name() == name)
    }
}
