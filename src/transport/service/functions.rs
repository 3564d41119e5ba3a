//! Lists and calls provider functions.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Service, failed, from_proto, to_proto, wire};
use crate::diagnostic::Diagnostic;
use crate::provider::contract::{FunctionError, Provider};

/// Returns the signature of each function, by name.
pub(super) fn signatures(provider: &dyn Provider) -> HashMap<String, wire::Function> {
    let functions = provider.functions().iter();
    functions
        .map(|function| (function.name().to_owned(), to_proto::function(&function.signature())))
        .collect()
}

pub(super) async fn list(service: &Service) -> wire::get_functions::Response {
    use wire::get_functions::Response as Functions;
    let provider = Arc::clone(&service.provider);
    let functions = service.run("GetFunctions", None, async move {
        Ok(Functions { functions: signatures(&*provider), diagnostics: Vec::new() })
    });
    functions.await.unwrap_or_else(|diagnostic| Functions {
        diagnostics: failed(diagnostic),
        ..Default::default()
    })
}

pub(super) async fn call(
    service: &Service,
    request: wire::call_function::Request,
) -> wire::call_function::Response {
    use wire::call_function::Response as Called;
    let provider = Arc::clone(&service.provider);
    let called =
        service.run("CallFunction", None, async move { Ok(call_function(&*provider, &request)) });
    let called = called.await.unwrap_or_else(|crash| Err(function_error(&crash)));
    let (result, error) = match called {
        Ok(result) => (Some(result), None),
        Err(error) => (None, Some(to_proto::function_error(error))),
    };
    Called { result, error }
}

/// Calls a function with as many arguments as it has parameters.
fn call_function(
    provider: &dyn Provider,
    request: &wire::call_function::Request,
) -> Result<wire::DynamicValue, FunctionError> {
    let mut all = provider.functions().iter();
    let function = all.find(|function| function.name() == request.name).ok_or_else(|| {
        FunctionError::new(format!(
            "This version of the provider has no function {:?}.",
            request.name
        ))
    })?;
    let signature = function.signature();
    let (sent, wanted) = (request.arguments.len(), signature.parameters.len());
    if sent != wanted {
        return Err(FunctionError::new(format!("{wanted} arguments are required, found {sent}.")));
    }
    let mut arguments = Vec::new();
    for (position, (sent, parameter)) in
        request.arguments.iter().zip(&signature.parameters).enumerate()
    {
        let argument = from_proto::value(Some(sent), &parameter.ty);
        arguments.push(argument.map_err(|error| function_error(&error).of_argument(position))?);
    }
    let result = function.call(&arguments)?;
    to_proto::value(&result, &signature.returns).map_err(|error| function_error(&error))
}

fn function_error(diagnostic: &Diagnostic) -> FunctionError {
    FunctionError::new(format!("{}: {}", diagnostic.summary, diagnostic.detail))
}
