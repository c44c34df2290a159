//! A conditional update: expressions with their names and values, and how it ended.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::item::Item;

/// What to change, and on what condition. An attribute is written `#name` and a value `:name`; DynamoDB reserves many
/// words, and refuses names and values that an expression doesn't use.
pub(super) struct Update {
    change: &'static str,
    condition: &'static str,
    values: Vec<(&'static str, AttributeValue)>,
}

/// How an update ended.
pub(super) enum Outcome {
    /// The item is now this.
    Changed(Item),
    /// The item is as before: this, or there is none.
    Refused(Option<Item>),
}

impl Update {
    pub(super) fn new(change: &'static str) -> Self {
        Self {
            change,
            condition: "",
            values: Vec::new(),
        }
    }

    pub(super) fn only_if(mut self, condition: &'static str) -> Self {
        self.condition = condition;
        self
    }

    pub(super) fn with(mut self, name: &'static str, value: AttributeValue) -> Self {
        self.values.push((name, value));
        self
    }

    pub(super) fn fill(self, mut request: UpdateItemFluentBuilder) -> UpdateItemFluentBuilder {
        for attribute in attributes(self.change).chain(attributes(self.condition)) {
            request = request.expression_attribute_names(format!("#{attribute}"), attribute);
        }
        for (name, value) in self.values {
            request = request.expression_attribute_values(name, value);
        }
        request
            .update_expression(self.change)
            .condition_expression(self.condition)
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

/// The attributes that an expression names, repeated ones too.
fn attributes(expression: &str) -> impl Iterator<Item = &str> {
    expression.split('#').skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric());
        &rest[..end.unwrap_or(rest.len())]
    })
}

/// A refusal is an answer; the rest of the errors are errors.
pub(super) fn outcome(
    answer: Result<UpdateItemOutput, SdkError<UpdateItemError, HttpResponse>>,
) -> Result<Outcome, Box<SdkError<UpdateItemError, HttpResponse>>> {
    match answer {
        Ok(changed) => Ok(Outcome::Changed(changed.attributes.unwrap_or_default())),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                Ok(Outcome::Refused(refused.item().cloned()))
            }
            _ => Err(Box::new(error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attributes_of_an_expression() {
        let found: Vec<&str> = attributes("SET #a = f(#bc, :x) + :one, #d=#a").collect();
        assert_eq!(found, ["a", "bc", "d", "a"]);
        assert_eq!(attributes("").count(), 0);
    }
}
