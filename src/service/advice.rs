//! Why a password is weak and how to make it better, in words for programs: an app says it in its user's language.
//!
//! Owns the words. Invariant: they stay what they are, whatever the estimator behind them calls what it finds.

use serde::Serialize;
use zxcvbn::feedback::{Suggestion, Warning};

macro_rules! advice {
    ($($variant:ident = $name:literal;)+) => {
        /// One thing that is wrong with a password or would make it better.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Advice {
            $($variant,)+
        }

        impl Advice {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// What it is called in answers.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

advice! {
    TooShort = "too_short";
    TooLong = "too_long";
    KeyboardRow = "keyboard_row";
    KeyboardPattern = "keyboard_pattern";
    RepeatedCharacter = "repeated_character";
    RepeatedText = "repeated_text";
    Top10 = "top_10";
    Top100 = "top_100";
    Common = "common";
    LikeACommonOne = "like_a_common_one";
    Sequence = "sequence";
    RecentYear = "recent_year";
    OneWord = "one_word";
    Date = "date";
    NameAlone = "name_alone";
    CommonName = "common_name";
    UseAFewWords = "use_a_few_words";
    SymbolsAreNotNeeded = "symbols_are_not_needed";
    AddAWordOrTwo = "add_a_word_or_two";
    CapitalsHelpLittle = "capitals_help_little";
    AllCapitalsHelpLittle = "all_capitals_help_little";
    ReversedWordsHelpLittle = "reversed_words_help_little";
    SubstitutionsHelpLittle = "substitutions_help_little";
    LongerKeyboardPattern = "longer_keyboard_pattern";
    AvoidRepeats = "avoid_repeats";
    AvoidSequences = "avoid_sequences";
    AvoidRecentYears = "avoid_recent_years";
    AvoidYearsOfYours = "avoid_years_of_yours";
    AvoidDatesOfYours = "avoid_dates_of_yours";
}

impl Serialize for Advice {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name().serialize(serializer)
    }
}

impl From<Warning> for Advice {
    fn from(warning: Warning) -> Self {
        match warning {
            Warning::StraightRowsOfKeysAreEasyToGuess => Self::KeyboardRow,
            Warning::ShortKeyboardPatternsAreEasyToGuess => Self::KeyboardPattern,
            Warning::RepeatsLikeAaaAreEasyToGuess => Self::RepeatedCharacter,
            Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => Self::RepeatedText,
            Warning::ThisIsATop10Password => Self::Top10,
            Warning::ThisIsATop100Password => Self::Top100,
            Warning::ThisIsACommonPassword => Self::Common,
            Warning::ThisIsSimilarToACommonlyUsedPassword => Self::LikeACommonOne,
            Warning::SequencesLikeAbcAreEasyToGuess => Self::Sequence,
            Warning::RecentYearsAreEasyToGuess => Self::RecentYear,
            Warning::AWordByItselfIsEasyToGuess => Self::OneWord,
            Warning::DatesAreOftenEasyToGuess => Self::Date,
            Warning::NamesAndSurnamesByThemselvesAreEasyToGuess => Self::NameAlone,
            Warning::CommonNamesAndSurnamesAreEasyToGuess => Self::CommonName,
        }
    }
}

impl From<Suggestion> for Advice {
    fn from(suggestion: Suggestion) -> Self {
        match suggestion {
            Suggestion::UseAFewWordsAvoidCommonPhrases => Self::UseAFewWords,
            Suggestion::NoNeedForSymbolsDigitsOrUppercaseLetters => Self::SymbolsAreNotNeeded,
            Suggestion::AddAnotherWordOrTwo => Self::AddAWordOrTwo,
            Suggestion::CapitalizationDoesntHelpVeryMuch => Self::CapitalsHelpLittle,
            Suggestion::AllUppercaseIsAlmostAsEasyToGuessAsAllLowercase => Self::AllCapitalsHelpLittle,
            Suggestion::ReversedWordsArentMuchHarderToGuess => Self::ReversedWordsHelpLittle,
            Suggestion::PredictableSubstitutionsDontHelpVeryMuch => Self::SubstitutionsHelpLittle,
            Suggestion::UseALongerKeyboardPatternWithMoreTurns => Self::LongerKeyboardPattern,
            Suggestion::AvoidRepeatedWordsAndCharacters => Self::AvoidRepeats,
            Suggestion::AvoidSequences => Self::AvoidSequences,
            Suggestion::AvoidRecentYears => Self::AvoidRecentYears,
            Suggestion::AvoidYearsThatAreAssociatedWithYou => Self::AvoidYearsOfYours,
            Suggestion::AvoidDatesAndYearsThatAreAssociatedWithYou => Self::AvoidDatesOfYours,
        }
    }
}
